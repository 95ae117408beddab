import { sendByFetch } from "../../src/superoffice/sendByFetch.ts";
import { testTransport } from "../support/testTransport.ts";

testTransport("the plain transport", sendByFetch);
