from live_app import LiveApp, bearer
import httpx
def test_a(shared: LiveApp, logged):
    c = shared.client()
    for path in ["/chat","/summarize","/agent","/bare","/identity","/odd","/teapot","/failing","/messages","/anything"]:
        body = {"input": {"input":"[tool who_is_calling {}]"}} if path not in("/summarize","/messages") else {"input":{"text":"a b c d","messages":[{"type":"human","content":"x"}]}}
        for ep in ["invoke","stream","stream_events","stream_log","batch"]:
            b = body if ep!="batch" else {"inputs":[body["input"]]*2}
            r = c.post(path+"/"+ep, json=b)
            print(path, ep, r.status_code, r.headers.get("content-type"), r.text[:3000 if ep in("invoke","stream") else 400][-400:])

    c.close(); print(logged.getvalue()[:6000])
