// The types of the schema, as far as the client selects them. tests/typescript_client compares them with the schema.

export type RenderStatus = "QUEUED" | "RENDERING" | "COMPLETE" | "FAILED" | "CANCELLED";
export type RenderPhase = "LAUNCHING" | "RENDERING_FRAMES" | "ENCODING" | "COMBINING";
export type AnimationStyle = "FADE_IN" | "TYPEWRITER" | "SLIDE_UP" | "SCALE";
export type OutputKind = "VIDEO" | "GIF" | "AUDIO" | "STILL";
export type CompositionKind = "VIDEO" | "STILL";
export type VideoFormat = "H264" | "H265" | "VP8" | "VP9" | "PRORES";
export type AudioFormat = "MP3" | "AAC" | "WAV";
export type StillFormat = "PNG" | "JPEG" | "WEBP" | "PDF";
export type OutputFormat = VideoFormat | "GIF" | AudioFormat | StillFormat;
export type ProResProfile = "P4444_XQ" | "P4444" | "HQ" | "STANDARD" | "LIGHT" | "PROXY";

/** A state of a render. Times are in ISO 8601. */
export interface Render {
  readonly id: string;
  /** Of two states of a render, the one with the higher revision is newer. */
  readonly revision: number;
  /** COMPLETE, FAILED and CANCELLED are final. */
  readonly status: RenderStatus;
  /** Null unless RENDERING. */
  readonly phase: RenderPhase | null;
  /** Whole percent, 0 to 100. Never decreases; 100 only when COMPLETE. */
  readonly progress: number;
  readonly framesRendered: number;
  readonly totalFrames: number;
  /** 1 for the next render; null unless QUEUED. Changes without a new revision. */
  readonly queuePosition: number | null;
  readonly estimatedCompletionAt: string | null;
  readonly cancelRequested: boolean;
  readonly compositionId: string;
  readonly generationId: string | null;
  readonly batchId: string | null;
  /** Null if another composition is rendered. */
  readonly animationProps: AnimationProps | null;
  readonly output: RenderOutput;
  /** Differences between the request and the output, such as another font. */
  readonly warnings: readonly string[];
  /** Null unless FAILED. */
  readonly error: RenderError | null;
  /** Shows the output; needs no credentials. Null unless COMPLETE. */
  readonly outputUrl: string | null;
  /** Saves the output as `output.fileName`. Null unless COMPLETE. */
  readonly downloadUrl: string | null;
  /** When both URLs expire. `client.fresh` returns the render with new ones. */
  readonly outputUrlExpiresAt: string | null;
  readonly outputSizeBytes: number | null;
  /** A JPEG of the last frame. Null unless COMPLETE, and for stills and audio. */
  readonly posterUrl: string | null;
  /** A JPEG of the newest frame. Null unless RENDERING. */
  readonly previewUrl: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
}

/** The text of a text animation. */
export interface AnimationProps {
  readonly text: string;
}

/** The requested output. */
export interface RenderOutput {
  readonly format: OutputFormat;
  readonly kind: OutputKind;
  /** Such as `video/mp4`. */
  readonly contentType: string;
  readonly fileName: string;
  readonly width: number | null;
  readonly height: number | null;
}

/** Why a render FAILED. */
export interface RenderError {
  readonly code: string;
  /** A sentence for the user. */
  readonly message: string;
  /** Whether `client.retry` is likely to succeed. */
  readonly retryable: boolean;
}

/** The user's quota of renders. */
export interface RenderQuota {
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds: number;
  readonly resetsAt: string;
  /** For a countdown that does not depend on the local clock. */
  readonly resetsInSeconds: number;
}

/** The progress of a batch. */
export interface BatchProgress {
  readonly batchId: string;
  readonly total: number;
  readonly queued: number;
  readonly rendering: number;
  readonly complete: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Mean progress in whole percent; a render that has ended counts as 100. */
  readonly percent: number;
  readonly hasEnded: boolean;
  readonly estimatedCompletionAt: string | null;
  /** The first renders that FAILED, at most 10. */
  readonly failures: readonly Render[];
}

/** What the server can render. */
export interface Composition {
  readonly id: string;
  readonly kind: CompositionKind;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly durationInFrames: number;
  readonly outputs: readonly OutputFormat[];
  readonly defaultProps: unknown;
  /** JSON Schema of the props; null if any object is accepted. */
  readonly propsSchema: unknown;
}

/** A problem with a field of a text animation. */
export interface InputProblem {
  readonly field: string;
  readonly message: string;
}

/** A problem at one place of the input. */
export interface InputPathProblem {
  /** JSON Pointer, such as `/composition/props/title`. */
  readonly path: string;
  readonly message: string;
}

/** A new URL of an output. */
export interface DownloadUrl {
  readonly url: string;
  readonly expiresAt: string;
  readonly render: Render;
}

export interface PageInfo {
  readonly hasNextPage: boolean;
  /** Pass it as `after` to get the next page. */
  readonly endCursor: string | null;
}

/** Which renders to return: those that match all conditions. */
export interface RenderFilter {
  readonly status?: readonly RenderStatus[] | undefined;
  readonly generationId?: string | undefined;
  readonly batchId?: string | undefined;
  readonly allUsers?: boolean | undefined;
}

/** What to make: exactly one of these. */
export type OutputInput =
  | { readonly video: VideoOutputInput }
  | { readonly gif: GifOutputInput }
  | { readonly audio: AudioOutputInput }
  | { readonly still: StillOutputInput };

export interface VideoOutputInput {
  readonly format?: VideoFormat | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fps?: number | undefined;
  readonly scale?: number | undefined;
  readonly crf?: number | undefined;
  readonly bitrateKbps?: number | undefined;
  readonly transparent?: boolean | undefined;
  readonly muted?: boolean | undefined;
  readonly proResProfile?: ProResProfile | undefined;
}

export interface GifOutputInput {
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly scale?: number | undefined;
  readonly everyNthFrame?: number | undefined;
  readonly loops?: number | undefined;
}

export interface AudioOutputInput {
  readonly format?: AudioFormat | undefined;
  readonly bitrateKbps?: number | undefined;
}

export interface StillOutputInput {
  readonly format?: StillFormat | undefined;
  readonly frame?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly scale?: number | undefined;
  readonly quality?: number | undefined;
}

/** A text animation. */
export interface AnimationPropsInput {
  readonly text: string;
  readonly style?: AnimationStyle | undefined;
  readonly fontFamily?: string | undefined;
  readonly fontSize?: number | undefined;
  readonly fontWeight?: number | undefined;
  readonly italic?: boolean | undefined;
  readonly color?: string | undefined;
  readonly durationInFrames?: number | undefined;
  readonly backgroundColor?: string | undefined;
  readonly fps?: number | undefined;
}
