// A line to the server that can be cut: Chromium's own offline mode leaves the streams that are open alone.
import { createServer, connect } from "node:net";

/** Listens on loopback and passes everything on to `url`. `cut` breaks all connections and lets none in until `mend`. */
export async function lossyLine(url) {
  const sockets = new Set();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) return near.destroy();
    const far = connect(Number(new URL(url).port), "127.0.0.1");
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut() {
      whole = false;
      sockets.forEach((socket) => socket.destroy());
    },
    mend() {
      whole = true;
    },
    close: () => server.close(),
  };
}
