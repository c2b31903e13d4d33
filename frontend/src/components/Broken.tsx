/** Shown in place of a page that failed, say because a newer release has other scripts. */
export function Broken() {
  return (
    <main className="broken">
      <h1>This page failed.</h1>
      <p>Reload it. Your conversations are kept on the server, and an answer that was coming goes on.</p>
      <button type="button" className="primary" onClick={() => location.reload()}>
        Reload
      </button>
    </main>
  );
}
