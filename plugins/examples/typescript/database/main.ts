/** Example of a vector store plugin. */
import { name, serve } from "@hector/plugin";

import { store } from "./store.ts";

serve(name("example-database", "1.0.0"), store());
