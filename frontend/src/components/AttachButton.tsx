import { useRef } from "react";
import { Icon } from "@/components/Icon";

/** Opens the system's own dialog for files. */
export function AttachButton({ add }: { add: (files: Iterable<File>) => void }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        className="icon-button attach"
        aria-label="Attach files"
        title="Attach files: images, audio, PDF, text"
        onClick={() => field.current?.click()}
      >
        <Icon name="clip" />
      </button>
      <input
        ref={field}
        type="file"
        multiple
        hidden
        accept="image/*,audio/*,application/pdf,text/*,.md,.csv,.json"
        onChange={(event) => {
          add([...(event.target.files ?? [])]);
          event.target.value = ""; // the same file may be chosen again
        }}
      />
    </>
  );
}
