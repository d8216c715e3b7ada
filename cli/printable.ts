/**
 * Control characters except newline and tab. The characters U+0080 to U+009F are included, because
 * terminal escapes can start with them too.
 */
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Removes control characters, so that a terminal runs no escape sequence of the text. */
export function printable(text: string): string {
  return text.replace(CONTROL_CHARACTERS, '');
}
