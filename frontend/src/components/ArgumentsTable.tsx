import { words } from "@/chat/words";
import { Value } from "@/components/AnswerData";

/** What a tool would be called with, a row each. */
export function ArgumentsTable({ args }: { args: Record<string, unknown> }) {
  if (!Object.keys(args).length) return <p className="hint">Without arguments.</p>;
  return (
    <table className="arguments">
      <tbody>
        {Object.entries(args).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{words(name)}</th>
            <td>
              <Value value={value} label={words(name)} depth={1} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
