/** @file Puts the page into its document. */
import { mount } from "svelte";
import App from "./App.svelte";
import "./studio.css";

const target = document.getElementById("studio");
if (target === null) throw new Error("index.html has no place for the page");
mount(App, { target });
