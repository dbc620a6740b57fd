// Shows the document that is served beside this page. A file, for the page allows no inline script.
const page = document.getElementById("swagger-ui");
SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: page.dataset.document,
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
