/** What the model thought before it answered: there to be read, and out of the way. */
export function Thoughts({ text }: { text: string }) {
  return (
    <details className="thoughts">
      <summary>Thoughts</summary>
      <p>{text}</p>
    </details>
  );
}
