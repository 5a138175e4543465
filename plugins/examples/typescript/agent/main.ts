/** Example of an agent plugin. */
import { name, serve } from "@hector/plugin";

import { greeter } from "./agent.ts";

serve(name("example-agent", "1.0.0"), greeter);
