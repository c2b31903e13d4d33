// A page with nothing of Gatehouse in it: a WebSocket, {"message": …}, and LangChain's on_parser_* events.

const HOST = new URLSearchParams(location.search).get("host") ?? `${location.hostname || "localhost"}:8000`;
const scheme = location.protocol === "https:" ? "wss" : "ws";

const log = document.querySelector("#log");
const state = document.querySelector("#state");
const form = document.querySelector("form");
const input = document.querySelector("input");

let socket;
let answer; // the paragraph that is being written

function paragraph(text, className = "") {
  const added = document.createElement("p");
  added.textContent = text;
  added.className = className;
  log.append(added);
  added.scrollIntoView();
  return added;
}

function connect(pause = 1000) {
  let opened = false;
  socket = new WebSocket(`${scheme}://${HOST}/ws/chat/`);
  socket.onopen = () => {
    opened = true;
    state.textContent = "Connected";
  };
  socket.onmessage = (message) => {
    const { event, name, data, type, content } = JSON.parse(message.data);
    if (type === "error") paragraph(content, "error");
    if (name !== "Assistant") return;
    if (event === "on_parser_start") answer = paragraph("");
    if (event === "on_parser_stream") answer.append(data.chunk);
    if (event === "on_parser_end") answer.textContent = data.output;
  };
  socket.onclose = () => {
    // a browser does not say why a handshake was refused; that nobody is signed in is the likeliest
    state.textContent = opened ? "Connecting again …" : `Not connected. Sign in at http://${HOST}/signin first.`;
    setTimeout(connect, pause * (0.5 + Math.random() / 2), opened ? 1000 : Math.min(30_000, pause * 2));
  };
}

form.onsubmit = (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  paragraph(input.value, "mine");
  socket.send(JSON.stringify({ message: input.value }));
  input.value = "";
};

connect();
