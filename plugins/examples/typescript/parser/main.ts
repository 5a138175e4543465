/** Example of a document parser plugin. */
import { name, serve } from "@hector/plugin";

import { tables } from "./parser.ts";

serve(name("example-parser", "1.0.0"), tables);
