// What the commands of the language server answer, as far as this extension reads it.

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

export interface Explanation {
  model: string;
  method: string;
  target: { label: string; against?: string | null };
  signed: boolean;
  scores: number[];
  features: { text: string }[];
}

/** What is known of a record; `places` has the range of each feature, or null where it is gone from the text. */
export interface Known {
  uri: string;
  range: Range;
  state: string;
  stale: boolean;
  findings: { message: string }[];
  label: string | number | null;
  prediction: { label: string; probabilities: Record<string, number>; value: number | null } | null;
  explanation: Explanation | null;
  places: (Range | null)[];
  compared: Record<string, number[]>;
}

/** How far a document is explained, and what keeps it from being explained. */
export interface Summary {
  uri: string;
  model: string | null;
  problem: { code: string; message: string } | null;
  trigger: "onType" | "onSave" | "manual";
  records: number;
  explainable: number;
  explained: number;
  mispredicted: number;
}

export interface FileRun {
  records: unknown[];
  mispredicted: number;
}

export interface Named {
  name: string;
  summary?: string;
  state?: string;
}
