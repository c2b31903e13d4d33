"""OpenAI's own client: the models, an answer as it comes, and a conversation that the server keeps.

GATEHOUSE_API_KEY=… python examples/python/openai_client.py "What is a bond?" "And a share?"
"""

import os
import sys

from openai import OpenAI, OpenAIError

URL = os.environ.get("GATEHOUSE_URL", "http://127.0.0.1:8000")


def main(client: OpenAI, questions: list[str]) -> None:
    print("models:", ", ".join(model.id for model in client.models.list()))
    thread = f"example {os.getpid()}"  # any name: the thread is begun, and the next question goes on in it
    for question in questions:
        chunks = client.chat.completions.create(
            model="agent",
            messages=[{"role": "user", "content": question}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"x-thread-id": thread},
        )
        for chunk in chunks:
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
            elif chunk.usage:
                print(f"\n({chunk.usage.total_tokens} tokens)")


if __name__ == "__main__":
    try:
        main(OpenAI(base_url=f"{URL}/v1", api_key=os.environ["GATEHOUSE_API_KEY"]), sys.argv[1:])
    except BrokenPipeError:  # nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OpenAIError as error:
        raise SystemExit(str(error)) from None
