// What the frames of a page cost its main thread, out of Chromium's own trace.

// the main thread's tasks, and where each frame begins
const CATEGORIES = ["disabled-by-default-devtools.timeline", "disabled-by-default-devtools.timeline.frame"];

/** Has `work` done under a trace. Returns its result, and the CPU milliseconds that each frame took the main thread. */
export async function traced(browser, work) {
  const session = await browser.newBrowserCDPSession(); // playwright's own trace also has all that it is not asked for
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => value.forEach((event) => events.push(event)));
  await session.send("Tracing.start", {
    traceConfig: { includedCategories: CATEGORIES, excludedCategories: ["*"] },
    transferMode: "ReportEvents",
  });
  const result = await work();
  const whole = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.end");
  await whole;
  return { result, costs: costsIn(events) };
}

// CPU time and not the clock's: what else the machine does at the time does not count
function costsIn(events) {
  const frames = busiest(events.filter(({ name }) => name === "BeginMainThreadFrame"));
  const own = ({ pid, tid }) => pid === frames[0].pid && tid === frames[0].tid;
  const tasks = inOrder(events.filter((event) => event.name === "RunTask" && event.ph === "X" && own(event)));
  let place = 0;
  return frames.map(({ ts }) => {
    let micros = 0;
    for (; place < tasks.length && tasks[place].ts <= ts; place += 1) micros += tasks[place].tdur ?? 0;
    return micros / 1000;
  }).slice(1); // the first one also has what came before the trace
}

/** Returns the events of the thread that has most of them: that of the page, and not of a worker or another tab. */
function busiest(events) {
  const threads = new Map();
  for (const event of events) {
    const thread = `${event.pid} ${event.tid}`;
    if (!threads.has(thread)) threads.set(thread, []);
    threads.get(thread).push(event);
  }
  const [most] = [...threads.values()].sort((one, other) => other.length - one.length);
  return inOrder(most);
}

const inOrder = (events) => events.toSorted((one, other) => one.ts - other.ts);
