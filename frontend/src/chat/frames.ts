const HIDDEN_MS = 250; // a hidden page gets no animation frames

/** Collects items and hands them over together, once an animation frame. */
export class Frames<T> {
  private items: T[] = [];
  private cancel: (() => void) | undefined;

  constructor(private readonly take: (items: T[]) => void) {}

  push(item: T): void {
    this.items.push(item);
    this.cancel ??= soon(() => this.flush());
  }

  /** Hands over what there is, now. */
  flush(): void {
    this.cancel?.();
    this.cancel = undefined;
    if (!this.items.length) return;
    const items = this.items;
    this.items = [];
    this.take(items);
  }
}

function soon(work: () => void): () => void {
  if (document.hidden) {
    const timer = setTimeout(work, HIDDEN_MS);
    return () => clearTimeout(timer);
  }
  const frame = requestAnimationFrame(work);
  return () => cancelAnimationFrame(frame);
}
