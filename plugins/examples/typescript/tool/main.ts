/** Example of a tool plugin. */
import { name, serve } from "@hector/plugin";

import { config, upper, wait } from "./tools.ts";

serve(name("example-tool", "1.0.0"), config, upper, wait);
