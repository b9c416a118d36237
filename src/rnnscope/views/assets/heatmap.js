// @ts-check
/**
 * Text coloured by a unit.
 *
 * `mount(element, source)` fills an element with a text, each symbol on a background from red (−1) to blue (+1), and
 * underlines the symbols where the claim holds. The text is only ever set as text, never parsed as markup.
 *
 * @typedef {object} Source
 * @property {number} start      position of the first symbol in the recorded text
 * @property {string} text       one character for each symbol
 * @property {string} values     base64 of an Int8Array: −127 … 127 for −1 … 1
 * @property {string | null} marks  base64 of a Uint8Array of 0 and 1, or null where there is nothing to underline
 */

/** @param {string} data @returns {Uint8Array} */
function bytes(data) {
  const binary = atob(data);
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

/** What stands on the page for a symbol. @param {string} symbol @returns {string} */
function glyph(symbol) {
  return symbol === "\n" ? "↵\n" : symbol;
}

/**
 * @param {HTMLElement} element
 * @param {Source} source
 */
export function mount(element, source) {
  const values = new Int8Array(bytes(source.values).buffer);
  const marks = source.marks === null ? null : bytes(source.marks);
  const symbols = Array.from(source.text);
  const text = document.createElement("pre");
  text.className = "heatmap";
  text.tabIndex = 0;
  const readout = document.createElement("output");
  readout.className = "readout";

  symbols.forEach((symbol, k) => {
    const value = values[k] / 127;
    const span = document.createElement("span");
    span.className = (value < 0 ? "n" : "p") + (marks && marks[k] ? " m" : "") + (symbol === "\n" ? " nl" : "");
    span.style.setProperty("--v", Math.abs(value).toFixed(2));
    span.dataset.k = String(k);
    span.textContent = glyph(symbol);
    text.append(span);
  });

  text.addEventListener("pointerover", (event) => {
    const target = event.target;
    if (!(target instanceof HTMLElement) || target.dataset.k === undefined) return;
    const k = Number(target.dataset.k);
    const value = values[k] / 127;
    const shown = (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
    const held = marks ? (marks[k] ? ", holds" : ", doesn't hold") : "";
    readout.value = `position ${(source.start + k).toLocaleString("en")}: ${JSON.stringify(symbols[k])} ${shown}${held}`;
  });
  element.replaceChildren(text, readout);
}
