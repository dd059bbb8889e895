/** The world as the commands see it: what belongs to the process. */
export interface CtlContext {
  /** How help and errors call the program: `etcdctl` or `quorate ctl`. */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The command line as it was given, without the program itself. */
  readonly words: readonly string[];
  readonly stdin: Input;
  /** Whether standard output and error go to a terminal, where progress may be shown. */
  readonly isTerminal: boolean;
  /** Resolves at the first SIGINT or SIGTERM; until it is asked for, these end the process. */
  interrupted(): Promise<void>;
}

/** Standard input. */
export interface Input {
  readonly isTerminal: boolean;
  /** The next line with its line feed; without one at the end of input; "" after it. */
  line(): Promise<string>;
  /** Everything that is left. */
  all(): Promise<Uint8Array>;
  /** A line typed without showing it, when input is a terminal. */
  hiddenLine(prompt: string): Promise<string>;
}
