/** Server-sent events out of bytes (HTML standard, 9.2.6), wherever the network cut them. */

export interface Frame {
  id: string | null;
  event: string;
  data: string;
  /** Milliseconds, if the service says when to come again. */
  retry: number | null;
}

/** Takes pieces of a stream and gives the events that are whole. */
export class Frames {
  #decoder = new TextDecoder();
  #rest = '';
  #frame = empty();
  #lines: string[] = [];

  read(bytes: Uint8Array): Frame[] {
    const found: Frame[] = [];
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line.endsWith('\r') ? line.slice(0, -1) : line, found);
    return found;
  }

  #line(line: string, found: Frame[]): void {
    if (line === '') {
      if (this.#lines.length > 0) found.push({ ...this.#frame, data: this.#lines.join('\n') });
      this.#frame = empty();
      this.#lines = [];
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#lines.push(value);
    else if (name === 'event') this.#frame.event = value;
    else if (name === 'id') this.#frame.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.#frame.retry = Number(value);
  }
}

function empty(): Frame {
  return { id: null, event: 'message', data: '', retry: null };
}
