import { addressOf, isImage, type Attached } from "@/api/attachments";
import { Icon } from "@/components/Icon";
import type { Draft } from "@/hooks/useAttachments";

/** The files beside what is being written, each with how it stands and a way to take it off. */
export function DraftChips({ drafts, remove }: { drafts: Draft[]; remove: (key: string) => void }) {
  if (!drafts.length) return null;
  return (
    <ul className="chips" aria-label="Attached files">
      {drafts.map(({ key, name, size, sent, trouble }) => (
        <li key={key} className={trouble ? "chip trouble" : "chip"}>
          {sent && isImage(sent) ? <img src={addressOf(sent.id)} alt="" /> : <Icon name="file" size={16} />}
          <span className="chip-name">{name}</span>
          <span className="chip-note" role="status">
            {trouble ?? (sent ? sizeOf(size) : "Uploading…")}
          </span>
          <button type="button" className="icon-button" aria-label={`Remove ${name}`} onClick={() => remove(key)}>
            <Icon name="close" size={14} />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The files that a question was asked about. */
export function SentChips({ files }: { files: readonly Attached[] }) {
  if (!files.length) return null;
  return (
    <ul className="chips" aria-label="Attached files">
      {files.map((file) => (
        <li key={file.id}>
          <a className="chip" href={addressOf(file.id)} target="_blank" rel="noreferrer">
            {isImage(file) ? <img src={addressOf(file.id)} alt="" /> : <Icon name="file" size={16} />}
            <span className="chip-name">{file.name}</span>
            <span className="chip-note">{sizeOf(file.size)}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function sizeOf(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
