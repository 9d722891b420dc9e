import { EmbeddedDatabase } from "./embedded-database.ts";
import { queueSuite } from "./test-queue-suite.ts";

queueSuite("the embedded database", () => EmbeddedDatabase.inMemory(), 40);
