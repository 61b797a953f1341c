// The page starts here.
import "./style.css";
import { App } from "./app";

// The page is at /debug/ui/, whatever stands before that; what it asks is beside it.
new App(document.body, new URL("../", document.baseURI)).start();
