import { Link } from "wouter";
import { Frame } from "@/components/Frame";

/** For an address that names nothing, or nothing of this person's. */
export function NotFoundPage() {
  return (
    <Frame title="Not found">
      <div className="scroll centred">
        <div className="column welcome">
          <h2>There is nothing here.</h2>
          <p>
            The conversation was deleted, or it is not yours. <Link href="/">Begin a new one.</Link>
          </p>
        </div>
      </div>
    </Frame>
  );
}
