/** Returns the text of an answer after one more event. */
export function textAfter(text, event) {
  switch (event.type) {
    case "token": return text + event.content;
    case "restart": return ""; // another server begins it anew
    case "gap": return event.text; // what was missed, and what was not
    case "complete": return event.content;
    case "error": throw new Error(event.content);
    default: return text;
  }
}
