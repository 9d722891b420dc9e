/** @file The queue on a PostgreSQL server. */
import { SharedDatabase } from "../../src/serve/queue/shared-database.ts";
import { queueSuite } from "../../src/serve/queue/test-queue-suite.ts";
import { newDatabase } from "./services.ts";

queueSuite("a PostgreSQL server", async () => SharedDatabase.open(await newDatabase()), 200);
