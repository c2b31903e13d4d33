const PATHS = {
  send: "M12 19V5M5.5 11.5 12 5l6.5 6.5",
  stop: "M7.5 7.5h9v9h-9z",
  plus: "M12 5.5v13M5.5 12h13",
  menu: "M4.5 7.5h15M4.5 12h15M4.5 16.5h15",
  close: "m6.5 6.5 11 11m0-11-11 11",
  pencil: "M5 19l1-4L16.5 4.5l3 3L9 18zM14 7l3 3",
  bin: "M5 7.5h14M10 7V5h4v2m-7 .5.7 11.5h8.6L17 7.5M10 11v5m4-5v5",
  up: "M8 11v8.5m0-8.5 3.6-7c1.6 0 2.4 1 2.1 2.6L13.2 10H18c1.3 0 2 1 1.7 2.2l-1.4 6c-.2.8-.8 1.3-1.7 1.3H8m0-8.5H4.5v8.5H8",
  chevron: "m9 6 6 6-6 6",
  check: "m5.5 12.5 4.5 4.5 8.5-10",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 1 0 0-16M12 7.5V12l3 2",
  warning: "M12 8.5v4.5m0 3v.2M12 4 3.5 19h17z",
  back: "m15 6-6 6 6 6",
  again: "M18.5 8A7.5 7.5 0 1 0 19.5 12M19 4v4.5h-4.5",
  file: "M7 3.5h7l4 4v13H7zM14 3.5v4h4",
  form: "M5 5h14v4H5zM5 13h14v6H5zM8 16h5",
  hand: "M12 3.5v8.5M8.5 5.5v7M15.5 5.5v7M5.5 9v5.5A6.5 6.5 0 0 0 12 21a6.5 6.5 0 0 0 6.5-6.5V8",
  inbox: "M4 13.5 6.5 5h11l2.5 8.5V19H4zM4 13.5h5a3 3 0 0 0 6 0h5",
  clip: "m19 11-7.5 7.5a4.6 4.6 0 0 1-6.5-6.5L13 4a3 3 0 0 1 4.3 4.3l-7.8 7.8a1.5 1.5 0 0 1-2.1-2.1L14 7.3",
  arrow: "M12 5v14m-6.5-6.5L12 19l6.5-6.5",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing that says nothing to a screen reader: what it stands on has a name of its own. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
