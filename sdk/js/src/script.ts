/** All of it in one file for a `<script>`: `C2cStasis.loadDialStack(…)` and `<click-to-call-button>`. */

export * from './index.js';
export { ClickToCallButton } from './button.js';
