/**
 * Returns a ticket: it stands in for the credential where no header can be sent, once, for 30 seconds, on one
 * route. A site of yours would ask its own server for it, and keep the key there.
 */
export async function ticketFor(url, key, route) {
  const headers = { "x-api-key": key, "content-type": "application/json" };
  const response = await fetch(`${url}/api/tickets`, { method: "POST", headers, body: JSON.stringify({ route }) });
  if (response.ok) return (await response.json()).ticket;
  const { detail } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(detail ?? `HTTP ${response.status}`), { status: response.status });
}

/** Returns the error of a connection that was not opened: neither EventSource nor WebSocket says why. */
export const refused = () => Object.assign(new Error("The server refused, or is not there."), { status: 503 });

/** Tells whether an error is worth another attempt: the network's, or that of a server that is away. */
export const passes = (error) => error instanceof TypeError || [429, 502, 503, 504].includes(error.status);
