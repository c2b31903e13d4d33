import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y-x"; // eslint-plugin-jsx-a11y itself has no release for ESLint 10
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

// Each folder may import those before it, and none after it.
const ORDER = ["api", "chat", "hooks", "components", "pages"];

const directions = ORDER.map((folder, place) => ({
  files: [`src/${folder}/**`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: ORDER.slice(place + 1)
          .map((later) => ({ regex: `^@/${later}/`, message: `src/${folder} does not know src/${later}.` }))
          .concat({ regex: "^\\.\\.", message: "Name a module of another folder by @/." }),
      },
    ],
  },
}));

export default ts.config(
  { ignores: ["coverage", "src/api/schema.d.ts", "node_modules"] },
  js.configs.recommended,
  ...ts.configs.strict,
  hooks.configs.flat.recommended,
  a11y.configs.recommended,
  ...directions,
  {
    rules: {
      "max-lines": ["error", { max: 150, skipBlankLines: true, skipComments: true }],
      complexity: ["error", 14],
      "no-console": "error",
      "@typescript-eslint/no-non-null-assertion": "off", // noUncheckedIndexedAccess asks for it
      // what scrolls by itself takes the focus, so that the keyboard can scroll it too: Safari does not do that alone
      "jsx-a11y-x/no-noninteractive-tabindex": ["error", { tags: [], roles: ["group", "tabpanel"] }],
    },
  },
  {
    files: ["bench/**", "*.js"],
    rules: { "no-console": "off", "max-lines": "off" },
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
  },
);
