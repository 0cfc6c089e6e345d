// One run of the language server: its process and the client that talks to it, from its start to its end.
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync } from "node:fs";
import * as vscode from "vscode";
import { CloseAction, ErrorAction, LanguageClient, State } from "vscode-languageclient/node";
import type { CloseHandlerResult, LanguageClientOptions } from "vscode-languageclient/node";

/** A server that dies more often than so many times in so long is not started again. */
const DEATHS = 4;
const WITHIN_MS = 180_000;
/** How long it may take to end. */
const END_MS = 2000;

/** Leaves it to who starts and ends it to say what fails there. */
class Quiet extends LanguageClient {
  override error(message: string, data?: unknown, show: boolean | "force" = true): void {
    // "force" are failures to start, and to start again.
    super.error(message, data, show === true);
  }

  /** vscode-languageclient 9 wants this also of what does not run, and fails then. */
  override async stop(timeout = END_MS): Promise<void> {
    if (this.state === State.Running) {
      await super.stop(timeout);
    }
  }
}

/** Started once and ended once: a client of vscode-languageclient 9 that has failed to start does not do so again. */
export class Run {
  readonly client: LanguageClient;
  private child: ChildProcessWithoutNullStreams | undefined;
  private started: Promise<void> = Promise.resolve();
  private hasRun = false;
  private isOver = false;
  private readonly deaths: number[] = [];

  constructor(private readonly command: string[], options: LanguageClientOptions) {
    const own: LanguageClientOptions = {
      errorHandler: {
        error: (_error, _message, count) => ({ action: (count ?? 1) > 3 ? ErrorAction.Shutdown : ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
      initializationFailedHandler: () => false,
    };
    this.client = new Quiet("saliscope", "saliscope", () => this.spawn(), { ...options, ...own });
  }

  start(): Promise<void> {
    this.started = this.client.start().then(() => {
      this.hasRun = true;
    });
    return this.started;
  }

  /** End it, whether it runs or is being started; what is left of its process is killed. */
  async end(): Promise<void> {
    this.isOver = true;
    const child = this.child;
    if (this.client.state === State.Running) {
      // One that does not end in time is killed below.
      await this.client.stop().catch(() => undefined);
    } else {
      child?.kill();
    }
    if (child !== undefined && !(await exited(child))) {
      child.kill("SIGKILL");
    }
    // Its failure is told to who has started it.
    await this.started.catch(() => undefined);
  }

  private spawn(): Promise<ChildProcessWithoutNullStreams> {
    if (this.isOver) {
      return Promise.reject(new Error("another one was wanted meanwhile"));
    }
    const [command = "", ...args] = this.command;
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    const child = spawn(command, args, folder !== undefined && existsSync(folder) ? { cwd: folder } : {});
    this.child = child;
    child.once("exit", (code, signal) => this.client.info(`the server has ended: ${signal ?? code}`));
    return new Promise((resolve, reject) => {
      child.once("spawn", () => resolve(child));
      child.on("error", reject);
    });
  }

  /** Its process has ended by itself. */
  private closed(): CloseHandlerResult {
    const now = Date.now();
    this.deaths.push(now);
    const isFit = this.deaths.filter((at) => now - at < WITHIN_MS).length <= DEATHS;
    if (this.hasRun && !this.isOver && isFit) {
      return { action: CloseAction.Restart, handled: true };
    }
    if (this.hasRun && !this.isOver) {
      void this.tell();
    }
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private async tell(): Promise<void> {
    const show = "Show the log";
    const message = "saliscope: the language server ends again and again. It is not started any more; its log says why.";
    if ((await vscode.window.showErrorMessage(message, show)) === show) {
      this.client.outputChannel.show(true);
    }
  }
}

/** Whether a process ends in time. */
function exited(child: ChildProcessWithoutNullStreams): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
    return Promise.resolve(true);
  }
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), END_MS);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
