/** Example of a language model plugin. */
import { name, serve } from "@hector/plugin";

import { echo } from "./model.ts";

serve(name("example-llm", "1.0.0"), echo);
