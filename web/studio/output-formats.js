// The formats of outputs, with the options that each has: services/media.py as the page needs it.

/** @import { FormatRow, OutputFormat, RenderOutput } from "../types.d.ts" */

// A JSON text, which a test compares with services/media.py.
/** @type {Record<OutputFormat, FormatRow>} */
export const FORMATS = {
  "H264": {
    "label": "MP4 (H.264)",
    "kind": "VIDEO",
    "options": ["width", "height", "scale", "fps", "crf", "bitrateKbps", "muted"],
    "crf": [1, 51],
    "even": true
  },
  "H265": {
    "label": "MP4 (H.265)",
    "kind": "VIDEO",
    "options": ["width", "height", "scale", "fps", "crf", "bitrateKbps", "muted"],
    "crf": [0, 51],
    "even": true
  },
  "VP8": {
    "label": "WebM (VP8)",
    "kind": "VIDEO",
    "options": ["width", "height", "scale", "fps", "crf", "bitrateKbps", "transparent", "muted"],
    "crf": [4, 63]
  },
  "VP9": {
    "label": "WebM (VP9)",
    "kind": "VIDEO",
    "options": ["width", "height", "scale", "fps", "crf", "bitrateKbps", "transparent", "muted"],
    "crf": [0, 63]
  },
  "PRORES": {
    "label": "MOV (ProRes)",
    "kind": "VIDEO",
    "options": ["width", "height", "scale", "fps", "proResProfile", "transparent", "muted"]
  },
  "GIF": {
    "label": "GIF",
    "kind": "GIF",
    "options": ["width", "height", "scale", "everyNthFrame", "loops"]
  },
  "MP3": {
    "label": "MP3",
    "kind": "AUDIO",
    "options": ["bitrateKbps"]
  },
  "AAC": {
    "label": "AAC",
    "kind": "AUDIO",
    "options": ["bitrateKbps"]
  },
  "WAV": {
    "label": "WAV",
    "kind": "AUDIO",
    "options": []
  },
  "PNG": {
    "label": "PNG",
    "kind": "STILL",
    "options": ["width", "height", "scale", "frame"]
  },
  "JPEG": {
    "label": "JPEG",
    "kind": "STILL",
    "options": ["width", "height", "scale", "frame", "quality"]
  },
  "WEBP": {
    "label": "WebP",
    "kind": "STILL",
    "options": ["width", "height", "scale", "frame"]
  },
  "PDF": {
    "label": "PDF",
    "kind": "STILL",
    "options": ["width", "height", "scale", "frame"]
  }
};

const HEVC = 'video/mp4; codecs="hvc1.1.6.L93.B0"';

/**
 * Return the short name of a format, such as MP4.
 * @param {OutputFormat} format
 */
export function shortLabel(format) {
  return FORMATS[format].label.replace(/ \(.*/, "");
}

/**
 * Return whether this browser can play or show an output.
 * @param {RenderOutput} output
 */
export function canPlay({ format, kind, contentType }) {
  if (kind === "GIF" || kind === "STILL") return format !== "PDF";
  return document.createElement("video").canPlayType(format === "H265" ? HEVC : contentType) !== "";
}
