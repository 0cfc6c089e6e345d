// The language server: started as the settings say, and asked to run its commands.
import * as vscode from "vscode";
import { State } from "vscode-languageclient/node";
import type { ClientCapabilities, LanguageClient, LanguageClientOptions, StaticFeature } from "vscode-languageclient/node";

import type { Known } from "./answers";
import { Run } from "./process";

export const LANGUAGES = ["plaintext", "markdown", "json", "jsonl", "csv", "tsv", "yaml", "prompt"];
const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];

/** Says that this client draws, and shows how the daemon is. */
const OWN: StaticFeature = {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    const experimental = (capabilities.experimental ?? {}) as Record<string, unknown>;
    capabilities.experimental = { ...experimental, saliscope: { decorations: true, status: true, hints: true } };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

/** What hears the answers of commands, whoever ran them: a lens, a code action, the palette. */
export interface Audience {
  explained(known: Known): void;
  compared(): void;
  copied(known: Known): void;
}

/** The server: one run of it at a time. */
export class Server {
  readonly log = vscode.window.createOutputChannel("saliscope");
  private current: Run | undefined;
  private ended: Promise<unknown> = Promise.resolve();

  /** `listen` is given the client of each run, before it starts. */
  constructor(private readonly audience: Audience, private readonly listen: (client: LanguageClient) => void) {}

  /** End the run that there is, also while it is being started, and start one as the settings say now. */
  async restart(): Promise<void> {
    const said = vscode.workspace.getConfiguration("saliscope.server").get<string[]>("command", []);
    const run = new Run(said.length > 0 ? said : ["saliscope", "lsp"], this.options());
    run.client.registerFeature(OWN);
    this.listen(run.client);
    const before = this.current;
    this.current = run;
    this.ended = Promise.all([this.ended, before?.end()]);
    await this.ended;
    try {
      // Settings may have changed again while the one before was ending.
      if (this.current === run) {
        await run.start();
      }
    } catch (error) {
      if (this.current === run) {
        throw error;
      }
    }
  }

  /** End it for good. */
  async end(): Promise<void> {
    const before = this.current;
    this.current = undefined;
    await before?.end();
  }

  private options(): LanguageClientOptions {
    const { audience } = this;
    return {
      documentSelector: LANGUAGES.flatMap((language) => SCHEMES.map((scheme) => ({ language, scheme }))),
      initializationOptions: () => ({ saliscope: {} }),
      outputChannel: this.log,
      middleware: {
        async executeCommand(name, given, next) {
          const answer: unknown = await next(name, given);
          if (name === "saliscope.explain" && given.length > 1) {
            audience.explained(answer as Known);
          } else if (name === "saliscope.compare") {
            audience.compared();
          } else if (name === "saliscope.copyJson") {
            audience.copied(answer as Known);
          }
          return answer;
        },
      },
    };
  }

  get isRunning(): boolean {
    return this.current?.client.state === State.Running;
  }

  serves(document: vscode.TextDocument): boolean {
    return this.isRunning && LANGUAGES.includes(document.languageId) && SCHEMES.includes(document.uri.scheme);
  }

  /** Run a command of the server; fails as the server says, and where there is none. */
  async run<T>(name: string, ...given: unknown[]): Promise<T> {
    return this.client.sendRequest<T>("workspace/executeCommand", { command: `saliscope.${name}`, arguments: given });
  }

  /** The same as a lens or an action does it, so that its audience hears the answer. */
  async act(name: string, uri: vscode.Uri, ...given: unknown[]): Promise<void> {
    await vscode.commands.executeCommand(`saliscope.${name}`, uri.toString(), ...given);
  }

  async focus(uri: vscode.Uri, position: vscode.Position): Promise<void> {
    const { line, character } = position;
    await this.client.sendNotification("saliscope/focus", { uri: uri.toString(), position: { line, character } });
  }

  private get client(): LanguageClient {
    if (this.current === undefined) {
      throw new Error("the language server does not run");
    }
    return this.current.client;
  }
}
