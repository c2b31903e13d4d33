// A chat of Vercel's AI SDK as useChat has it, without React.
const HEADERS = { "x-api-key": process.env.GATEHOUSE_KEY };

/** What React's useChat keeps in its state, kept here. */
class State {
  messages = [];
  status = "ready";
  error = undefined;
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (place, message) => (this.messages = this.messages.with(place, this.snapshot(message)));
  snapshot = structuredClone;
}

export const textOf = (message) => message.parts.map(({ type, text }) => (type === "text" ? text : "")).join("");
export const told = (chat) => chat.messages.map((message) => [message.role, textOf(message)]);

/** Returns the class of chats of a version of the SDK. */
export const chatOf = ({ AbstractChat, DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses }) =>
  class Chat extends AbstractChat {
    constructor(runnable = "agent", { id = crypto.randomUUID(), headers = HEADERS, base = process.env.GATEHOUSE_URL } = {}) {
      const read = () => this.messages.findLast(({ role }) => role === "assistant")?.id ?? "";
      const transport = new DefaultChatTransport({
        api: `${base}/api/ui/${runnable}/chat`,
        headers,
        prepareReconnectToStreamRequest: () => ({ api: `${this.api}/${id}/stream?message=${read()}`, headers }),
      });
      super({ id, transport, state: new State(), sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses });
      Object.assign(this, { base, runnable });
    }

    get api() {
      return `${this.base}/api/ui/${this.runnable}/chat`;
    }

    /** Resolves when an answer has as many characters. */
    async reads(characters) {
      while (this.lastMessage?.role !== "assistant" || textOf(this.lastMessage).length < characters)
        await new Promise((resolve) => setTimeout(resolve, 10));
    }

    /** Stops the answer on the server, and returns the status of that. */
    async halt() {
      return (await fetch(`${this.api}/${this.id}/stop`, { method: "POST", headers: HEADERS })).status;
    }
  };
