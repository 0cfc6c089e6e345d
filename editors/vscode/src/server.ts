// The language server: how it is started, and how its commands are run.
import * as vscode from "vscode";
import { LanguageClient, State } from "vscode-languageclient/node";
import type { ClientCapabilities, Executable, LanguageClientOptions, StaticFeature } from "vscode-languageclient/node";

import type { Known } from "./answers";

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

/** Leaves it to who starts the server to say that it does not start. */
class Client extends LanguageClient {
  private isStarting = false;

  override async start(): Promise<void> {
    this.isStarting = true;
    try {
      await super.start();
    } finally {
      this.isStarting = false;
    }
  }

  override error(message: string, data?: unknown, showNotification: boolean | "force" = true): void {
    super.error(message, data, !this.isStarting && showNotification);
  }
}

/** The client of the server. */
export class Server {
  readonly client: LanguageClient;
  private readonly how: Executable = { command: "" };

  constructor(audience: Audience) {
    const options: LanguageClientOptions = {
      documentSelector: LANGUAGES.flatMap((language) => SCHEMES.map((scheme) => ({ language, scheme }))),
      initializationOptions: () => ({ saliscope: {} }),
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
    this.client = new Client("saliscope", "saliscope", this.how, options);
    this.client.registerFeature(OWN);
  }

  /** Start it as the settings say now. */
  async start(): Promise<void> {
    const said = vscode.workspace.getConfiguration("saliscope.server").get<string[]>("command", []);
    const [command = "saliscope", ...args] = said.length > 0 ? said : ["saliscope", "lsp"];
    Object.assign(this.how, { command, args });
    try {
      await this.client.start();
    } catch (error) {
      // vscode-languageclient 9 answers with this failure to every later start, whatever the settings say then.
      (this.client as unknown as { _onStart: undefined })._onStart = undefined;
      throw error;
    }
  }

  async restart(): Promise<void> {
    if (this.isRunning) {
      await this.client.stop();
    }
    await this.start();
  }

  get isRunning(): boolean {
    return this.client.state === State.Running;
  }

  serves(document: vscode.TextDocument): boolean {
    return this.isRunning && LANGUAGES.includes(document.languageId) && SCHEMES.includes(document.uri.scheme);
  }

  /** Run a command of the server; fails as the server says. */
  run<T>(name: string, ...given: unknown[]): Promise<T> {
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
}
