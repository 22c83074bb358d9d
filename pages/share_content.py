"""The HTML of the page of one render: its title, metadata for previews in messengers, and content."""

from dataclasses import dataclass
from html import escape

from services.media import FORMATS, Media, OutputFormat, OutputKind
from services.models import Render, RenderStatus
from services.renders.service import RenderService

MAX_TITLE_LENGTH = 80  # characters, in the browser's tab and in previews
RENEWED_S = 60  # a page that stays open is loaded again this long before its URLs expire
NOT_EVERYWHERE = frozenset({OutputFormat.H265, OutputFormat.PRORES})  # formats that few browsers play
CONTROLS = 'controls preload="metadata"'
MB = 1_000_000
TIMES = "\N{MULTIPLICATION SIGN}"
STATUSES = {
    RenderStatus.QUEUED: "Waiting",
    RenderStatus.RENDERING: "Rendering",
    RenderStatus.FAILED: "Failed",
    RenderStatus.CANCELLED: "Cancelled",
}
SENTENCES = {
    RenderStatus.FAILED: "This render has failed, so there is nothing to show.",
    RenderStatus.CANCELLED: "This render was cancelled, so there is nothing to show.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The parts of the page that its template has placeholders for, as HTML."""

    title: str
    metadata: str
    content: str


def message_content(text: str) -> Content:
    """Return a page with only this sentence."""
    content = f'<div id="render" class="panel"><h1>Rendercast</h1><p>{escape(text)}</p></div>'
    return Content(title="Rendercast", metadata="", content=content)


def render_content(render: Render, renders: RenderService) -> Content:
    """Return the page of a render: its output, its progress, or why it has no output."""
    if render.status is RenderStatus.COMPLETE:
        return _finished(render, renders)
    heading = f"<h1 dir='auto'>{escape(_title(render))}</h1>{_facts(render)}"
    badge = f'<span class="badge">{STATUSES[render.status]}</span>'
    if (sentence := SENTENCES.get(render.status)) is not None:
        body = f'<p class="state">{badge}</p><p>{sentence}</p>'
        return _content(render, f'<article id="render" {_status(render)} class="panel">{heading}{body}</article>')
    state = f"{render.progress}%" if render.status is RenderStatus.RENDERING else "Waiting to be rendered"
    body = (
        f'<p class="state">{badge} <span id="state">{state}</span></p>'
        f'<progress id="progress" max="100" value="{render.progress}" aria-label="Progress"></progress>'
        '<p class="hint">The result appears here as soon as it is done.</p>'
        '<noscript><p class="hint">Reload this page to see the progress.</p></noscript>'
    )
    newest = '<div id="newest-frame" class="thumbnail preview-box" hidden></div>'
    attributes = f'id="render" data-id="{render.id}" {_status(render)} class="panel"'
    return _content(render, f"<article {attributes}>{newest}{heading}{body}</article>")


def _finished(render: Render, renders: RenderService) -> Content:
    shown, saved, poster = renders.sign(render), renders.sign(render, as_attachment=True), renders.sign_poster(render)
    poster_url = None if poster is None else poster.url
    if shown is None or saved is None:
        raise AssertionError("a COMPLETE render has an output")
    valid_for = (min(shown.expires_at, saved.expires_at) - renders.clock.now()).total_seconds() - RENEWED_S
    hint = '<p class="hint">If it does not play here, download it.</p>'
    body = (
        f"{_player(render, shown.url, poster_url)}<h1 dir='auto'>{escape(_title(render))}</h1>"
        f"{_facts(render)}{hint if render.output_options.format in NOT_EVERYWHERE else ''}"
        f'<p class="row"><a class="button primary" href="{escape(saved.url)}" download>Download</a></p>'
    )
    attributes = f'id="render" data-valid-for="{int(valid_for)}" {_status(render)} class="panel"'
    return _content(render, f"<article {attributes}>{body}</article>", url=shown.url, poster=poster_url)


def _content(render: Render, article: str, *, url: str | None = None, poster: str | None = None) -> Content:
    title = _short(_title(render))
    return Content(title=escape(title), metadata=_metadata(render, title, url=url, poster=poster), content=article)


def _player(render: Render, url: str, poster: str | None) -> str:
    """Return the element that shows the output; nothing for a PDF."""
    row, label = FORMATS[render.output_options.format], escape(_short(_title(render)))
    source = f'class="media" src="{escape(url)}"'
    match row.kind:
        case OutputKind.VIDEO:
            image = f' poster="{escape(poster)}"' if poster else ""
            return f'<video {source}{image}{_size(render)} {CONTROLS} playsinline aria-label="{label}"></video>'
        case OutputKind.AUDIO:
            return f'<audio {source} {CONTROLS} aria-label="{label}"></audio>'
        case _ if render.output_options.format is OutputFormat.PDF:
            return ""
        case _:
            return f'<img {source}{_size(render)} alt="{label}">'


def _metadata(render: Render, title: str, *, url: str | None, poster: str | None) -> str:
    """Return what messengers read for a preview: https://ogp.me."""
    row, media = FORMATS[render.output_options.format], render.media
    is_image = row.kind in {OutputKind.GIF, OutputKind.STILL} and render.output_options.format is not OutputFormat.PDF
    found = {"og:title": title, "og:type": "video.other" if row.kind is OutputKind.VIDEO else "website"}
    found["og:description"] = _facts_text(render)
    image = url if is_image else poster
    if image is not None:
        found["og:image"] = image
    if url is not None and row.kind is OutputKind.VIDEO:
        found |= {"og:video": url, "og:video:type": row.media_type}
        if media is not None and media.width and media.height:
            found |= {"og:video:width": str(media.width), "og:video:height": str(media.height)}
    return "".join(f'<meta property="{name}" content="{escape(value)}">' for name, value in found.items())


def _title(render: Render) -> str:
    """Return the text of an animation, otherwise the composition's id."""
    return render.composition_id if render.props is None else render.props.text


def _short(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= MAX_TITLE_LENGTH else f"{line[:MAX_TITLE_LENGTH].rstrip()}…"


def _status(render: Render) -> str:
    return f'data-status="{render.status.name}"'


def _size(render: Render) -> str:
    media = render.media
    return f' width="{media.width}" height="{media.height}"' if media and media.width and media.height else ""


def _facts(render: Render) -> str:
    return f'<p class="facts">{escape(_facts_text(render))}</p>'


def _facts_text(render: Render) -> str:
    """Return the size in pixels, the length, the format and the size of the file, such as `1280x720 · 3 s · MP4`."""
    row, media = FORMATS[render.output_options.format], render.media
    facts = [] if media is None else _media_facts(media, row.kind)
    facts.append(row.extension.upper())
    if render.output is not None:
        facts.append(_bytes(render.output.size_bytes))
    return " · ".join(facts)


def _media_facts(media: Media, kind: OutputKind) -> list[str]:
    facts = [f"{media.width}{TIMES}{media.height}"] if media.width and media.height else []
    return facts if kind is OutputKind.STILL else [*facts, f"{round(media.duration_s, 1):g} s"]


def _bytes(size: int) -> str:
    return f"{max(1, round(size / 1e3))} kB" if size < MB else f"{size / MB:.1f} MB"
