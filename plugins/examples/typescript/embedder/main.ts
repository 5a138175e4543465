/** Example of an embedder plugin. */
import { name, serve } from "@hector/plugin";

import { hash } from "./embedder.ts";

serve(name("example-embedder", "1.0.0"), hash);
