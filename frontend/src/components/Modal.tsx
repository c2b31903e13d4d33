import { useEffect, useRef, type ReactNode } from "react";

interface Props {
  title: string;
  /** Called for Esc; a dialog without it cannot be left that way. */
  close?: (() => void) | undefined;
  children: ReactNode;
}

/** A dialog over the page, which keeps the focus within it. */
export function Modal({ title, close, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        close?.();
      }}
    >
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}
