/** Example of a guardrail plugin. */
import { name, serve } from "@hector/plugin";

import { cards } from "./guardrail.ts";

serve(name("example-guardrail", "1.0.0"), cards);
