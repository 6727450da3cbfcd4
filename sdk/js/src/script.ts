/** All of it in one file for a `<script>`: `C2cStasis.loadDialStack(…)`. */

export * from './index.js';
