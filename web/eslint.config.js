import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

export default defineConfig(
  { ignores: ["node_modules", "src/api/schema.d.ts"] },
  js.configs.recommended,
  ...ts.configs.strict, // not the rules that need types: they take as long again as tsc, which checks types
  hooks.configs.flat.recommended,
  {
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      // Markup only ever comes from JSX: names, payloads and errors stay text.
      "no-restricted-syntax": [
        "error",
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: "Text stays text.",
        },
        {
          selector: "AssignmentExpression[left.property.name=/^(inner|outer)HTML$/]",
          message: "Text stays text.",
        },
      ],
      // A view knows the rooms below it, not another view: link to it by its path.
      "no-restricted-imports": ["error", { patterns: ["../../views/*", "@/views/*/*"] }],
    },
  },
);
