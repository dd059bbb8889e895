/**
 * Tasks spread over child processes of one program, at most so many at a time.
 *
 * JB1  Every task is reported once, in the order of the tasks.
 * JB2  A child that ends or overruns fails the task it had, and no other: another child goes on.
 */

import { fork, type ChildProcess } from "node:child_process";

/** What a task came to. */
export interface TaskResult {
  readonly isPassed: boolean;
  readonly lines: readonly string[];
  /** Sums over all tasks, by name. */
  readonly sums: Readonly<Record<string, number>>;
}

export interface JobsOptions {
  /** The program; a child of it calls `serveTasks`. */
  readonly program: string;
  readonly args: readonly string[];
  /** Children at a time, at least one. */
  readonly jobs: number;
  /** Most milliseconds that one task takes. */
  readonly taskMsMax: number;
}

interface Child {
  readonly process: ChildProcess;
  /** Index of its task; -1: none. */
  task: number;
  timer: NodeJS.Timeout | null;
}

/** Runs all tasks; `report` is called in their order. */
export async function runJobs(
  options: JobsOptions,
  tasks: readonly string[],
  report: (task: string, result: TaskResult) => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const results = new Map<number, TaskResult>();
  let next = 0;
  let reported = 0;
  const tell = (index: number, result: TaskResult): void => {
    results.set(index, result);
    for (let ready = results.get(reported); ready !== undefined; ready = results.get(reported)) {
      results.delete(reported);
      report(tasks[reported++]!, ready); // JB1
    }
    if (reported === tasks.length) resolve(undefined);
  };
  const give = (child: Child): void => {
    child.task = next < tasks.length ? next++ : -1;
    if (child.task === -1) {
      child.process.disconnect();
      return;
    }
    child.process.send(tasks[child.task]!);
    child.timer = setTimeout(() => child.process.kill("SIGKILL"), options.taskMsMax);
  };
  const start = (): void => {
    const process = fork(options.program, [...options.args]);
    const child: Child = { process, task: -1, timer: null };
    process.on("message", (message) => {
      if (child.timer !== null) clearTimeout(child.timer);
      tell(child.task, message as TaskResult);
      give(child);
    });
    process.on("exit", (code, signal) => {
      if (child.timer !== null) clearTimeout(child.timer);
      if (child.task === -1) return;
      const why = signal === null ? `exit code ${code}` : signal;
      const line = `${tasks[child.task]!}: its process ended: ${why}`;
      tell(child.task, { isPassed: false, lines: [line], sums: {} }); // JB2
      if (next < tasks.length) start();
    });
    give(child);
  };
  for (let i = 0; i < Math.min(options.jobs, tasks.length); i++) start();
  await promise;
}

/** The child's side: does what it is sent until the parent has no more. */
export function serveTasks(run: (task: string) => TaskResult): void {
  process.on("message", (task) => {
    if (typeof task === "string") process.send!(run(task));
  });
}
