import { useEffect, useRef } from "react";
import { Link } from "wouter";
import type { Limit } from "@/api/session";
import { duration } from "@/components/AnswerNotice";
import { words } from "@/chat/words";
import { Icon } from "@/components/Icon";
import { useSession } from "@/hooks/session";
import { forgetDrafts } from "@/hooks/useDraft";

/** Who is signed in and what is left to them; the other pages; the way out. */
export function AccountMenu() {
  const { me } = useSession();
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const outside = event.target instanceof Node && !menu.current?.contains(event.target);
      const escaped = event instanceof KeyboardEvent && event.key === "Escape";
      if (menu.current && (outside || escaped)) menu.current.open = false;
    };
    addEventListener("click", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("click", close);
      removeEventListener("keydown", close);
    };
  }, []);
  const name = me?.name || me?.user_id || "Signed in";
  return (
    <details className="account" ref={menu}>
      <summary>
        <span className="avatar" aria-hidden="true">
          {name.charAt(0).toUpperCase()}
        </span>
        <span className="account-name">
          {name}
          {me && <small>{me.tenant_id}</small>}
        </span>
        <Icon name="chevron" size={15} />
      </summary>
      <div className="account-body">
        {me?.plan && (
          <p>
            Plan <strong>{me.plan}</strong>
          </p>
        )}
        {me?.limits?.map((limit) => (
          <Meter key={limit.name} {...limit} />
        ))}
        <nav aria-label="More">
          <Link href="/transports">Transports</Link>
          <a href="/docs">API documentation</a>
        </nav>
        {/* a form, since it may lead on to the sign-out of the issuer */}
        <form method="post" action="/auth/signout" onSubmit={forgetDrafts}>
          <button type="submit">Sign out</button>
        </form>
      </div>
    </details>
  );
}

function Meter({ name, limit, remaining, reset_seconds }: Limit) {
  return (
    <div className="meter">
      <span>{words(name)}</span>
      <meter min={0} max={limit} value={remaining} low={limit / 10} optimum={limit} aria-label={words(name)} />
      <small>
        {remaining.toLocaleString()} of {limit.toLocaleString()} left, anew in {duration(Math.ceil(reset_seconds))}
      </small>
    </div>
  );
}
