/* Table rows that are updated in place, to keep focus, selection and scroll position. */

/** The rows of one table body.
 *
 * make() returns the parts of a new row, including `row`, the <tr>. fill(parts, item) writes an item
 * into them. key(item) identifies an item. The row of a removed item stays, as .gone, while it has
 * the focus or its dialog is open.
 */
export class Rows {
  #parts = new Map();

  constructor(body, { key, make, fill }) {
    Object.assign(this, { body, key, make, fill });
  }

  /** Show these items in this order. */
  show(items) {
    const keys = new Set(items.map(this.key));
    for (const [key, { row }] of this.#parts) {
      if (keys.has(key)) continue;
      row.classList.toggle("gone", isHeld(row));
      if (isHeld(row)) continue;
      row.remove();
      this.#parts.delete(key);
    }
    let next = this.body.firstElementChild;
    for (const item of items) {
      const parts = this.#partsOf(this.key(item));
      parts.row.classList.remove("gone");
      this.fill(parts, item);
      while (next?.classList.contains("gone")) next = next.nextElementSibling;
      if (parts.row === next) next = next.nextElementSibling;
      else this.body.insertBefore(parts.row, next);
    }
  }

  #partsOf(key) {
    if (!this.#parts.has(key)) this.#parts.set(key, this.make());
    return this.#parts.get(key);
  }
}

const isHeld = (row) => row.contains(document.activeElement) || row.querySelector("[aria-expanded=true]");
