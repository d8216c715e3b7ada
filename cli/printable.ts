/** Control characters but newline and tab; those of C1 begin terminal escapes too. */
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text that a terminal only shows and never obeys: `ESC[2J` becomes `[2J`. */
export function printable(text: string): string {
  return text.replace(CONTROL_CHARACTERS, '');
}
