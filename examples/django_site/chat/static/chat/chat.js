// One question, and its answer over REST, WebSocket and server-sent events beside each other.

const CSRF = document.querySelector("[name=csrfmiddlewaretoken]").value;
const FIRST_PAUSE = 500; // ms
const LONGEST_PAUSE = 20_000;
const STABLE = 5_000; // a connection that lived as long was a good one
const MOST_TRIES = 8; // of a request, about a minute
const SIGNED_OUT = 4401; // the sockets' close code

// Doubles with every try. Half of it is chance: else all pages that lost one server come back at once.
const backoff = (tries) => Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** tries) * (0.5 + Math.random() / 2);
const pause = (tries) => new Promise((resolve) => setTimeout(resolve, backoff(tries)));
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text; // never as HTML: a model's words are not to be trusted
  return made;
}

function signedOut() {
  document.querySelector("#signed-out").hidden = false;
  document.querySelector(".ask button").disabled = true;
}

/** Keeps the newest text in sight, until the reader scrolls up. */
class Log {
  constructor(section) {
    this.list = section.querySelector(".log");
    this.button = section.querySelector(".newest");
    this.follows = true;
    this.list.addEventListener("scroll", () => {
      this.follows = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
      this.button.hidden = this.follows;
    });
    this.button.addEventListener("click", () => this.toNewest());
  }

  add(entry) {
    this.list.append(entry);
    this.toNewest();
  }

  changed() {
    if (this.follows) this.toNewest();
  }

  toNewest() {
    this.list.scrollTop = this.list.scrollHeight;
  }
}

/** A question and as much of its answer as is known. */
class Exchange {
  constructor(lane, question, key = null) {
    Object.assign(this, { lane, question, key, runId: null, lastId: null, over: false, text: "", first: null });
    this.asked = key && performance.now();
    this.entry = element("article", "exchange");
    this.answer = element("p", "answer");
    this.note = element("p", "note");
    this.entry.append(element("p", "question", question), this.answer, this.note);
    this.entry.setAttribute("aria-busy", "true");
    lane.log.add(this.entry);
  }

  command() {
    if (this.runId) return { type: "resume", run_id: this.runId, last_event_id: this.lastId };
    return { message: this.question, thread_id: this.lane.thread, idempotency_key: this.key };
  }

  apply(event) {
    if (this.over) return;
    switch (event.type) {
      case "start":
        this.runId = event.run_id;
        this.lane.thread = event.thread_id;
        break;
      case "token":
        this.show(this.text.slice(0, event.offset) + event.content);
        break;
      case "restart":
        this.show("");
        break;
      case "gap":
        this.show(event.text);
        break;
      case "complete":
        this.show(event.content);
        break;
      case "error":
        this.fail(event.content, Boolean(event.id));
        break;
      case "end":
        this.end(event.status);
    }
    this.lastId = event.id ?? this.lastId;
  }

  show(text) {
    this.text = text;
    if (text && this.first === null && this.asked) {
      this.first = performance.now() - this.asked;
      this.lane.firstWord.textContent = seconds(this.first);
    }
    this.drawing ??= requestAnimationFrame(() => this.draw()); // not once a token
  }

  draw() {
    this.drawing = null;
    this.answer.textContent = this.text;
    this.lane.log.changed();
  }

  /** An error of the run is followed by its end; any other is the end here. */
  fail(why, endFollows = false) {
    this.entry.append(element("p", "alert", why));
    if (!endFollows) this.end("failed");
  }

  end(status) {
    this.over = true;
    const took = this.asked ? seconds(performance.now() - this.asked) : "";
    const how = { completed: "", cancelled: "stopped", failed: "failed" }[status];
    this.note.textContent = [how, this.first && `first word ${seconds(this.first)}`, took && `all ${took}`]
      .filter(Boolean)
      .join(" · ");
    this.entry.setAttribute("aria-busy", "false");
    this.draw();
  }
}

class Lane {
  constructor(id) {
    this.section = document.getElementById(id);
    this.log = new Log(this.section);
    this.firstWord = this.section.querySelector("output");
    this.thread = null;
    this.current = null;
  }

  set state(state) {
    this.section.querySelector(".state").textContent = state;
    this.section.dataset.state = state;
  }

  get free() {
    return this.section.querySelector("[type=checkbox]").checked && (this.current === null || this.current.over);
  }

  ask(question) {
    this.current = new Exchange(this, question, crypto.randomUUID());
    this.carry(this.current);
  }
}

/** A lane of requests. Each goes on after a broken connection: the key keeps it one question. */
class RequestLane extends Lane {
  async carry(exchange) {
    this.tries = 0;
    while (!exchange.over) {
      try {
        await this.attempt(exchange);
      } catch (error) {
        if (!(error instanceof TypeError)) {
          // TypeError is fetch's name for a network that failed
          exchange.fail("This page cannot read what the site answered.");
          throw error;
        }
      }
      if (exchange.over) break;
      if (++this.tries === MOST_TRIES) return exchange.fail("The site cannot be reached.");
      this.state = "reconnecting";
      await pause(this.tries);
    }
    this.state = "";
  }

  request(path, options) {
    return fetch(path, { ...options, headers: { "X-CSRFToken": CSRF, ...options.headers } });
  }

  post(path, exchange) {
    return this.request(path, { method: "POST", body: JSON.stringify(exchange.command()) });
  }

  async refused(exchange, response) {
    if (response.status === 401) signedOut();
    const { error } = await response.json().catch(() => ({ error: `The site answered ${response.status}.` }));
    const wait = response.headers.get("Retry-After");
    exchange.fail(wait ? `${error} (in ${wait} s)` : error);
  }
}

class RestLane extends RequestLane {
  async attempt(exchange) {
    const response = await this.post("/api/chat/", exchange);
    if (!response.ok) return this.refused(exchange, response);
    const { response: content, thread_id } = await response.json();
    this.thread = thread_id;
    exchange.apply({ type: "complete", content });
    exchange.apply({ type: "end", status: "completed" });
  }
}

class SseLane extends RequestLane {
  async attempt(exchange) {
    const response = await this.open(exchange);
    if (!response.ok) return this.refused(exchange, response);
    if (response.status === 204) return exchange.end("completed"); // all was seen already
    this.state = "";
    for await (const event of eventsOf(response)) {
      this.tries = 0;
      exchange.apply(event);
    }
  }

  open(exchange) {
    if (!exchange.runId) return this.post("/api/chat/stream/", exchange);
    const headers = { "Last-Event-ID": exchange.lastId };
    return this.request(`/api/runs/${exchange.runId}/stream/`, { headers });
  }
}

/** Yields the events of a response as they come. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}

/** A lane with a WebSocket that comes back, and reads on where it was. */
class SocketLane extends Lane {
  constructor(id, path) {
    super(id);
    this.address = location.origin.replace("http", "ws") + path;
    this.tries = 0;
    this.connect();
    window.addEventListener("online", () => this.retry && this.connect());
  }

  connect() {
    clearTimeout(this.retry);
    this.retry = null;
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.opened = performance.now();
      this.state = "connected";
      if (this.current && !this.current.over) this.carry(this.current);
    });
    socket.addEventListener("message", ({ data }) => this.take(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => this.lost(code));
  }

  lost(code) {
    if (code === SIGNED_OUT) {
      this.state = "signed out";
      return signedOut();
    }
    if (performance.now() - this.opened > STABLE) this.tries = 0;
    this.opened = performance.now();
    this.state = "reconnecting";
    this.retry = setTimeout(() => this.connect(), backoff(this.tries++));
  }

  carry(exchange) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(exchange.command()));
  }
}

/** Takes LangChain's events, and those that LangChain has no name for. */
class ChatLane extends SocketLane {
  take(frame) {
    this.current?.apply(typed(frame));
  }
}

function typed(frame) {
  const { id, run_id } = frame;
  switch (frame.event) {
    case "on_parser_start":
      return { id, run_id, type: "start", thread_id: frame.metadata.thread_id };
    case "on_parser_stream":
      return { id, run_id, type: "token", content: frame.data.chunk };
    case "on_parser_end":
      return { id, run_id, type: "complete", content: frame.data.output };
  }
  return frame;
}

/** Shows what this tab and the user's others ask. */
class EveryTabLane extends SocketLane {
  runs = new Map();

  take(event) {
    const exchange = this.exchangeOf(event);
    if (event.type === "token" && event.offset > exchange.text.length) this.catchUp(exchange);
    else exchange.apply(event);
  }

  exchangeOf(event) {
    if (!event.run_id) return this.current; // about what this tab sent
    let exchange = this.runs.get(event.run_id);
    if (!exchange) {
      const own = event.idempotency_key !== undefined && event.idempotency_key === this.current?.key;
      exchange = own ? this.current : new Exchange(this, event.question ?? "…");
      exchange.runId = event.run_id;
      this.runs.set(event.run_id, exchange);
    }
    return exchange;
  }

  /** This tab was not there at the beginning: has all tabs told everything again, which they take as known. */
  catchUp(exchange) {
    if (exchange.late || this.current?.over === false) return;
    exchange.late = true;
    this.carry(exchange);
  }
}

const lanes = [
  new RestLane("rest"),
  new ChatLane("socket", "/ws/chat/"),
  new SseLane("sse"),
  new EveryTabLane("tabs", "/ws/openai/?events=run"),
];
const form = document.querySelector(".ask");
const message = document.querySelector("#message");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = message.value.trim();
  const free = lanes.filter((lane) => lane.free);
  if (!question || !free.length) return;
  message.value = "";
  for (const lane of free) lane.ask(question);
});
message.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
