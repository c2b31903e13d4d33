import { useState } from "react";

const SAID_MS = 2000;

/** Copies a text; where the browser forbids that it says so. */
export function CopyButton({ text }: { text: () => string }) {
  const [label, setLabel] = useState("Copy");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setLabel("Copied");
    } catch {
      setLabel("Not allowed");
    }
    setTimeout(() => setLabel("Copy"), SAID_MS);
  };
  return (
    <button type="button" className="quiet small" onClick={() => void copy()}>
      {label}
    </button>
  );
}
