/** Example of a reasoning strategy plugin. */
import { name, serve } from "@hector/plugin";

import { oneShot } from "./strategy.ts";

serve(name("example-reasoning", "1.0.0"), oneShot);
