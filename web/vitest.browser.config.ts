import { defineConfig } from "vitest/config";

// Real pages in a real browser: run by tests/view/test_page_browser.py, which writes the pages to $REGARD_PAGES.
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"], pool: "threads", maxWorkers: 1, fileParallelism: false,
    // A busy machine may take its time.
    testTimeout: 180_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } },
  },
});
