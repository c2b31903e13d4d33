import { useState, type FormEvent } from "react";
import { Problem } from "@/api/problem";
import { Modal } from "@/components/Modal";
import { useSession } from "@/hooks/session";

/** Asks to sign in over the page as it is: nothing that was written is lost. */
export function SignInDialog() {
  const { signIn } = useSession();
  const [trouble, setTrouble] = useState<string>();
  const [sending, setSending] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const credential = String(new FormData(event.currentTarget).get("credential") ?? "");
    setSending(true);
    try {
      await signIn(credential);
    } catch (error) {
      setTrouble(error instanceof Problem ? error.message : "The server could not be reached.");
      setSending(false);
    }
  };

  return (
    <Modal title="Sign in to go on">
      <p>Your session is over. What you wrote is still here.</p>
      <form className="stacked" onSubmit={(event) => void submit(event)}>
        {trouble && (
          <p className="notice trouble" role="alert">
            {trouble}
          </p>
        )}
        <label htmlFor="credential">API key or token</label>
        <input
          id="credential"
          name="credential"
          type="password"
          autoComplete="off"
          spellCheck={false}
          maxLength={8192}
          required
        />
        <button type="submit" className="primary" disabled={sending}>
          {sending ? "Signing in…" : "Sign in"}
        </button>
        <a href={`/signin?next=${encodeURIComponent(location.pathname)}`}>Other ways to sign in</a>
      </form>
    </Modal>
  );
}
